#pragma once

#include <hdf5.h>

// Swift imports functions, not macros with casts or statements in them: each function here wraps
// one such macro.

static inline hid_t lp_h5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t lp_h5_c_s1(void) { return H5T_C_S1; }
static inline size_t lp_h5_variable(void) { return H5T_VARIABLE; }
static inline unsigned lp_h5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned lp_h5_read_write(void) { return H5F_ACC_RDWR; }
static inline hid_t lp_h5_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t lp_h5_default(void) { return H5P_DEFAULT; }
static inline hid_t lp_h5_all_space(void) { return H5S_ALL; }
static inline hid_t lp_h5_default_stack(void) { return H5E_DEFAULT; }
static inline unsigned lp_h5_truncate(void) { return H5F_ACC_TRUNC; }
static inline hid_t lp_h5_link_create(void) { return H5P_LINK_CREATE; }
static inline hid_t lp_h5_dataset_create(void) { return H5P_DATASET_CREATE; }
static inline hid_t lp_h5_float32_little_endian(void) { return H5T_IEEE_F32LE; }
