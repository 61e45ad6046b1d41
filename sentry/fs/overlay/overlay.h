#pragma once
void overlay_init(void);
