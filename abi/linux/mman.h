#pragma once
// mmap(2) constants of the guest's ABI (include/uapi/asm-generic/mman-common.h).
#define LX_PROT_READ 1
#define LX_PROT_WRITE 2
#define LX_PROT_EXEC 4
#define LX_MAP_SHARED 1
#define LX_MAP_PRIVATE 2
#define LX_MAP_SHARED_VALIDATE 3
#define LX_MAP_TYPE 0xf
#define LX_MAP_FIXED 0x10
#define LX_MAP_FIXED_NOREPLACE 0x100000
#define LX_MAP_ANONYMOUS 0x20
#define LX_MAP_LOCKED 0x2000
#define LX_MAP_HUGETLB 0x40000
#define LX_MAP_SYNC 0x80000
#define LX_MADV_WILLNEED 3
#define LX_MADV_COLD 20
#define LX_MADV_PAGEOUT 21
#define LX_MCL_CURRENT 1
#define LX_MCL_FUTURE 2
#define LX_MCL_ONFAULT 4
#define LX_MLOCK_ONFAULT 1
