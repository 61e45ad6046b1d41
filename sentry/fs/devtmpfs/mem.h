#pragma once
int mem_devices_init(void); // 0 or -LX_ENOMEM
