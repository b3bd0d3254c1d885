#include "at_command.h"

void at_add(at_command_t *c, const char *text)
{
    for (; *text != 0; text++) {
        if (c->used + 2 >= AT_LINE_MAX) { /* room for CR LF */
            c->too_long = true;
            return;
        }
        c->text[c->used++] = *text;
    }
}

void at_add_quoted(at_command_t *c, const char *text)
{
    at_add(c, "\"");
    for (; *text != 0; text++) {
        char one[3] = {'\\', *text, 0};
        at_add(c, *text == '"' || *text == ',' || *text == '\\' ? one : one + 1);
    }
    at_add(c, "\"");
}

void at_add_number(at_command_t *c, uint32_t number)
{
    char digits[11] = {0};
    char *p = digits + sizeof digits - 1;
    do {
        *--p = (char)('0' + number % 10u);
        number /= 10u;
    } while (number != 0);
    at_add(c, p);
}
