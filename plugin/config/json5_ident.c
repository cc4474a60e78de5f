/* IdentifierName of ECMAScript 5.1, section 7.6, which JSON5 refers to: letters by Unicode
 * general category, from libunistring.
 *
 * The host's reader carries the categories of Unicode 10 for good, while libunistring's grow with
 * each release (14 in Debian 12). A key the host refuses must not pass here, so what came after
 * Unicode 10 is taken away again: added_later lists it, with neighbouring ranges joined where
 * nothing that Unicode 10 allows lies between them. tests/json5/ compares every code point, so a
 * libunistring with newer tables shows up there, and the missing ranges are added here.
 */
#include "config/json5_ident.h"

#include <stddef.h>
#include <unictype.h>

struct range {
    uint32_t first, last;
};

static const struct range added_later[] = {
    {0x560, 0x560},     {0x588, 0x588},     {0x5ef, 0x5ef},     {0x7fd, 0x7fd},
    {0x870, 0x89f},     {0x8b5, 0x8b5},     {0x8be, 0x8d3},     {0x9fe, 0x9fe},
    {0xb55, 0xb55},     {0xc04, 0xc04},     {0xc3c, 0xc3c},     {0xc5d, 0xc5d},
    {0xcdd, 0xcdd},     {0xd04, 0xd04},     {0xd81, 0xd81},     {0xe86, 0xe86},
    {0xe89, 0xe89},     {0xe8c, 0xe8c},     {0xe8e, 0xe93},     {0xe98, 0xe98},
    {0xea0, 0xea0},     {0xea8, 0xea9},     {0xeac, 0xeac},     {0xeba, 0xeba},
    {0x170d, 0x170d},   {0x1715, 0x171f},   {0x180f, 0x180f},   {0x1878, 0x1878},
    {0x1abf, 0x1ace},   {0x1b4c, 0x1b4c},   {0x1c90, 0x1cbf},   {0x1cfa, 0x1cfa},
    {0x1dfa, 0x1dfa},   {0x2c2f, 0x2c2f},   {0x2c5f, 0x2c5f},   {0x312f, 0x312f},
    {0x31bb, 0x31bf},   {0x4db6, 0x4dbf},   {0x9feb, 0x9fff},   {0xa7af, 0xa7af},
    {0xa7b8, 0xa7f6},   {0xa82c, 0xa82c},   {0xa8fe, 0xa8ff},   {0xab66, 0xab69},
    {0x10570, 0x105bc}, {0x10780, 0x107ba}, {0x10a34, 0x10a35}, {0x10d00, 0x10ff6},
    {0x11070, 0x11075}, {0x110c2, 0x110c2}, {0x11144, 0x11147}, {0x111c9, 0x111c9},
    {0x111ce, 0x111cf}, {0x1133b, 0x1133b}, {0x1145e, 0x11461}, {0x116b8, 0x116b8},
    {0x1171a, 0x1171a}, {0x11740, 0x1183a}, {0x11900, 0x119e4}, {0x11a84, 0x11a85},
    {0x11a9d, 0x11abf}, {0x11d60, 0x11fb0}, {0x12f90, 0x12ff0}, {0x16a70, 0x16ac9},
    {0x16e40, 0x16e7f}, {0x16f45, 0x16f4f}, {0x16f7f, 0x16f87}, {0x16fe3, 0x16ff1},
    {0x187ed, 0x187f7}, {0x18af3, 0x1affe}, {0x1b11f, 0x1b167}, {0x1cf00, 0x1cf46},
    {0x1df00, 0x1df1e}, {0x1e100, 0x1e7fe}, {0x1e94b, 0x1e94b}, {0x1fbf0, 0x1fbf9},
    {0x2a6d7, 0x2a6df}, {0x2b735, 0x2b738}, {0x30000, 0x3134a},
};

/* Marks in Unicode 10 and letters since 12: they may continue a key, not start one. */
static const struct range marks_then = {0x1cf2, 0x1cf3};

static bool is_added_later(uint32_t c)
{
    size_t low = 0, high = sizeof(added_later) / sizeof(added_later[0]);

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (c > added_later[mid].last)
            low = mid + 1;
        else if (c < added_later[mid].first)
            high = mid;
        else
            return true;
    }
    return false;
}

bool json5_ident_starts(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '$' || c == '_';
    if (c >= marks_then.first && c <= marks_then.last)
        return false;
    return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_Nl) &&
           !is_added_later(c);
}

bool json5_ident_continues(uint32_t c)
{
    if (c < 0x80)
        return json5_ident_starts(c) || (c >= '0' && c <= '9');
    if (c == 0x200c || c == 0x200d) /* zero width joiners, allowed by name */
        return true;
    return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_Nl |
                                                   UC_CATEGORY_MASK_Mn | UC_CATEGORY_MASK_Mc |
                                                   UC_CATEGORY_MASK_Nd | UC_CATEGORY_MASK_Pc) &&
           !is_added_later(c);
}
