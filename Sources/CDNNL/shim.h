// oneDNN (formerly MKL-DNN): only its matrix product is used.
#include <oneapi/dnnl/dnnl.h>
