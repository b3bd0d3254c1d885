#ifndef BOARD_H
#define BOARD_H

void board_paint_stack(void);
void board_init(void);
_Noreturn void board_park(void); /* stops for good, marker pins 111 */

#endif
