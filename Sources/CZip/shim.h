#pragma once

#include <stdlib.h>
#include <zip.h>
