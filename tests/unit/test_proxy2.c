/* SPDX-License-Identifier: ISC
 *
 * proxy2.c: the client's address as a load balancer tells it.
 */
#include "proxy2.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t room[2048];

/* A header with this version and command, transport and rest; the length field says `length`. */
static struct view header(uint8_t command, uint8_t transport, const void *rest, size_t len, uint16_t length) {
    struct writer w = writer_of(room, sizeof room);
    writer_bytes(&w, view_of("\r\n\r\n\0\r\nQUIT\n", 12));
    writer_u8(&w, command);
    writer_u8(&w, transport);
    writer_u16(&w, length);
    writer_bytes(&w, view_of(rest, len));
    return writer_view(&w);
}

static const uint8_t four[12] = {192, 0, 2, 1, 198, 51, 100, 2, 0x15, 0xb3, 0x15, 0x38};

static struct proxy2 expect(struct view bytes, enum proxy2_result wanted) {
    struct proxy2 p;
    enum proxy2_result got = proxy2_parse(bytes, &p);
    cr_assert_eq(got, wanted, "got %d, why: %s", (int)got, p.why ? p.why : "none");
    cr_assert_eq(got == PROXY2_BAD, p.why != NULL);
    return p;
}

Test(proxy2, tcp_over_ipv4) {
    struct proxy2 p = expect(header(0x21, 0x11, four, 12, 12), PROXY2_OK);
    cr_assert_eq(p.needed, 28);
    cr_assert_eq(p.family, 4);
    cr_assert_not(p.local);
    cr_assert_arr_eq(p.source, four, 4);
    cr_assert_arr_eq(p.destination, four + 4, 4);
    cr_assert_eq(p.source_port, 5555);
    cr_assert_eq(p.destination_port, 5432);
}

Test(proxy2, tcp_over_ipv6_with_tlvs) {
    uint8_t rest[40];
    for (size_t i = 0; i < sizeof rest; i++)
        rest[i] = (uint8_t)i;
    struct proxy2 p = expect(header(0x21, 0x21, rest, 40, 40), PROXY2_OK);
    cr_assert_eq(p.needed, 56);
    cr_assert_eq(p.family, 6);
    cr_assert_arr_eq(p.source, rest, 16);
    cr_assert_arr_eq(p.destination, rest + 16, 16);
    cr_assert_eq(p.source_port, 0x2021);
    cr_assert_eq(p.destination_port, 0x2223);
}

Test(proxy2, a_health_check_speaks_for_itself) {
    struct proxy2 p = expect(header(0x20, 0x00, "", 0, 0), PROXY2_OK);
    cr_assert(p.local);
    cr_assert_eq(p.needed, 16);
    p = expect(header(0x20, 0x11, four, 12, 12), PROXY2_OK); /* its addresses are to be ignored */
    cr_assert(p.local);
    cr_assert_eq(p.family, 0);
    cr_assert_eq(p.needed, 28);
}

Test(proxy2, every_cut_asks_for_more) {
    struct view whole = header(0x21, 0x11, four, 12, 12);
    for (size_t cut = 0; cut < whole.len; cut++)
        cr_assert_eq(expect(view_of(whole.at, cut), PROXY2_MORE).needed, cut < 16 ? 16 : 28);
}

Test(proxy2, what_follows_is_not_read) {
    struct view whole = header(0x21, 0x11, four, 12, 12);
    memset(room + whole.len, 0xff, 100);
    cr_assert_eq(expect(view_of(room, whole.len + 100), PROXY2_OK).needed, 28);
}

Test(proxy2, other_things_are_refused) {
    expect(view_text("PROXY TCP4 192.0.2.1"), PROXY2_BAD);
    expect(view_text("\x16"), PROXY2_BAD);
    expect(view_of("\r\n\r\n\0\r\nQUIT\r", 12), PROXY2_BAD);
    expect(header(0x11, 0x11, four, 12, 12), PROXY2_BAD); /* version 1 */
    expect(header(0x31, 0x11, four, 12, 12), PROXY2_BAD);
    expect(header(0x22, 0x11, four, 12, 12), PROXY2_BAD); /* no such command */
    expect(header(0x21, 0x00, "", 0, 0), PROXY2_BAD);     /* unspecified */
    expect(header(0x21, 0x12, four, 12, 12), PROXY2_BAD); /* UDP */
    expect(header(0x21, 0x31, four, 12, 12), PROXY2_BAD); /* unix */
    expect(header(0x21, 0x41, four, 12, 12), PROXY2_BAD);
}

Test(proxy2, lengths_that_do_not_fit_are_refused) {
    expect(header(0x21, 0x11, four, 11, 11), PROXY2_BAD);
    expect(header(0x21, 0x21, four, 12, 12), PROXY2_BAD);
    expect(header(0x21, 0x11, four, 12, PROXY2_MAX - PROXY2_HEADER + 1), PROXY2_BAD);
    expect(header(0x21, 0x11, four, 12, 65535), PROXY2_BAD);
    uint8_t rest[PROXY2_MAX - PROXY2_HEADER] = {0};
    cr_assert_eq(expect(header(0x21, 0x11, rest, sizeof rest, sizeof rest), PROXY2_OK).needed, PROXY2_MAX);
}
