/* SPDX-License-Identifier: ISC
 *
 * address.c: addresses and ranges, as rules and packets spell them.
 */
#include "address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

static struct address address_of(const char *text) {
    struct address a;
    cr_assert(address_parse(view_text(text), &a), "%s", text);
    return a;
}

static bool none(const struct address *a) {
    static const struct address nothing;
    return memcmp(a, &nothing, sizeof nothing) == 0;
}

Test(address, reads_and_writes_texts) {
    static const char *const pairs[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:db8::1", "2001:db8::1"},
        {"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::", "::"},
        {"::1", "::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct address a = address_of(pairs[i][0]);
        char text[ADDRESS_TEXT];
        address_text(&a, text);
        cr_assert_str_eq(text, pairs[i][1]);
        cr_assert_eq(a.port, 0);
    }
}

Test(address, refuses_what_is_not_an_address) {
    static const char *const texts[] = {
        "",
        " ",
        "192.0.2",
        "192.0.2.1.1",
        "192.0.2.256",
        "192.0.2.01",
        "0x7f.1",
        "127.1",
        " 192.0.2.1",
        "192.0.2.1 ",
        "192.0.2.1:5432",
        "192.0.2.0/24",
        ":",
        ":::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "[::1]",
        "fe80::1%eth0",
        "::12345",
        "localhost",
        "::ffff:192.0.2.1.1",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct address a;
        memset(&a, 1, sizeof a);
        cr_assert_not(address_parse(view_text(texts[i]), &a), "%s", texts[i]);
        cr_assert(none(&a), "%s", texts[i]);
    }
    struct address a;
    cr_assert_not(address_parse(view_of("192.0.2.1\0x", 11), &a));
}

Test(address, reads_and_writes_ports) {
    static const char *const good[] = {"192.0.2.1:5432", "192.0.2.1:1", "[2001:db8::1]:65535", "[::]:6432"};
    struct address a;
    char text[ADDRESS_TEXT];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_assert(address_parse_port(view_text(good[i]), false, &a), "%s", good[i]);
        address_text_port(&a, text);
        cr_assert_str_eq(text, good[i]);
    }
    cr_assert(address_parse_port(view_text("192.0.2.1:0"), true, &a));
    cr_assert_eq(a.port, 0);
    cr_assert(address_parse_port(view_text("[::ffff:192.0.2.1]:80"), false, &a));
    cr_assert_eq(a.family, 4);
    static const char *const bad[] = {
        "",
        ":",
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:+1",
        "192.0.2.1:01",
        "192.0.2.1: 1",
        "[192.0.2.1]:80",
        "2001:db8::1:5432",
        "[2001:db8::1]",
        "[2001:db8::1:5432",
        "2001:db8::1]:5432",
        "[]:1",
        "[:1",
        "]:1",
        ":5432",
        "localhost:5432",
        "192.0.2.1:99999999999999999999",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_not(address_parse_port(view_text(bad[i]), false, &a), "%s", bad[i]);
        cr_assert(none(&a), "%s", bad[i]);
    }
}

Test(address, of_nobody_is_empty_text) {
    struct address nobody = {0};
    char text[ADDRESS_TEXT] = "x";
    address_text(&nobody, text);
    cr_assert_str_empty(text);
    address_text_port(&nobody, text);
    cr_assert_str_empty(text);
    struct sockaddr_storage sa;
    cr_assert_eq(address_to_sockaddr(&nobody, &sa), 0);
}

Test(address, goes_to_the_kernel_and_back) {
    static const char *const texts[] = {"192.0.2.1:5432", "[2001:db8::1]:5432"};
    for (size_t i = 0; i < 2; i++) {
        struct address a, back;
        struct sockaddr_storage sa;
        cr_assert(address_parse_port(view_text(texts[i]), false, &a));
        cr_assert_eq(address_to_sockaddr(&a, &sa),
                     i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
        cr_assert_eq(sa.ss_family, i ? AF_INET6 : AF_INET);
        cr_assert(address_from_sockaddr((struct sockaddr *)&sa, &back));
        cr_assert(address_equal(&a, &back));
    }
    struct sockaddr local = {.sa_family = AF_UNIX};
    struct address a;
    cr_assert_not(address_from_sockaddr(&local, &a));
    cr_assert(none(&a));
}

/* A dual-stack listener sees IPv4 clients as ::ffff:a.b.c.d; they must fall under IPv4 rules. */
Test(address, folds_mapped_clients_to_ipv4) {
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(40000)};
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
    struct address a, same;
    cr_assert(address_from_sockaddr((struct sockaddr *)&in6, &a));
    cr_assert(address_parse_port(view_text("192.0.2.7:40000"), false, &same));
    cr_assert(address_equal(&a, &same));
}

Test(address, is_equal_with_its_port_only) {
    struct address a = address_of("192.0.2.1"), b = a;
    cr_assert(address_equal(&a, &b));
    b.port = 1;
    cr_assert_not(address_equal(&a, &b));
    struct address zero4 = address_of("0.0.0.0"), zero6 = address_of("::");
    cr_assert_not(address_equal(&zero4, &zero6));
}

Test(address, has_a_network) {
    static const char *const pairs[][2] = {
        {"192.0.2.1", "192.0.2.1"}, {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"}, {"::1", "::"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct address a = address_of(pairs[i][0]), expected = address_of(pairs[i][1]);
        a.port = 77;
        struct address network = address_network(&a);
        cr_assert(address_equal(&network, &expected), "%s", pairs[i][0]);
    }
}

Test(address, crosses_a_channel) {
    static const char *const texts[] = {"192.0.2.1:5432", "[2001:db8::1]:5432"};
    uint8_t bytes[32];
    struct address a, back;
    for (size_t i = 0; i < 2; i++) {
        struct writer w = writer_of(bytes, sizeof bytes);
        cr_assert(address_parse_port(view_text(texts[i]), false, &a));
        address_write(&w, &a);
        cr_assert_eq(w.len, 19);
        struct reader r = reader_of(writer_view(&w));
        cr_assert(address_read(&r, &back));
        cr_assert(reader_done(&r));
        cr_assert(address_equal(&a, &back));
        r = reader_of(view_of(bytes, 18));
        cr_assert_not(address_read(&r, &back));
        cr_assert(none(&back));
    }
}

Test(address, crosses_no_channel_in_a_shape_of_its_own) {
    static const struct {
        uint8_t family, at, value;
        bool good;
    } cases[] = {
        {0, 0, 0, true}, {0, 0, 1, false}, {1, 0, 0, false},  {5, 0, 0, false}, {255, 0, 0, false},
        {4, 3, 1, true}, {4, 4, 1, false}, {4, 15, 1, false}, {6, 15, 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[19] = {cases[i].family};
        bytes[1 + cases[i].at] = cases[i].value;
        struct reader r = reader_of(view_of(bytes, sizeof bytes));
        struct address a;
        cr_assert_eq(address_read(&r, &a), cases[i].good, "case %zu", i);
        cr_assert_eq(r.bad, !cases[i].good);
    }
    /* Two spellings of one address would slip past rules. */
    uint8_t mapped[19] = {6, [11] = 0xFF, [12] = 0xFF, [13] = 192};
    struct reader r = reader_of(view_of(mapped, sizeof mapped));
    struct address a;
    cr_assert_not(address_read(&r, &a));
}

static bool contains(const char *list, const char *address) {
    struct ranges ranges;
    struct view bad;
    struct address a = address_of(address);
    cr_assert(ranges_parse(view_text(list), &ranges, &bad), "%s", list);
    return ranges_contain(&ranges, &a);
}

Test(ranges, contain_what_they_name) {
    cr_assert(contains("192.0.2.0/24, 2001:db8::/32, 198.51.100.7", "192.0.2.255"));
    cr_assert(contains("192.0.2.0/24, 2001:db8::/32, 198.51.100.7", "2001:db8:ffff::1"));
    cr_assert(contains("192.0.2.0/24, 2001:db8::/32, 198.51.100.7", "198.51.100.7"));
    cr_assert(contains("0.0.0.0/0", "203.0.113.1"));
    cr_assert(contains("::/0", "2001:db8::1"));
    cr_assert(contains("192.0.2.128/25", "192.0.2.128"));
    cr_assert(contains("192.0.2.4/31", "192.0.2.5"));
    cr_assert(contains("2001:db8::8000/113", "2001:db8::ffff"));
    cr_assert(contains("2001:db8::1/128", "2001:db8::1"));
    cr_assert(contains("::ffff:192.0.2.0/120", "192.0.2.9"), "mapped rules are IPv4 rules");
    cr_assert(contains("192.0.2.0/24", "::ffff:192.0.2.9"), "mapped clients are IPv4 clients");
    cr_assert(contains("::ffff:0:0/96", "192.0.2.9"));
}

Test(ranges, contain_nothing_else) {
    cr_assert_not(contains("", "192.0.2.1"));
    cr_assert_not(contains("192.0.2.0/24, 2001:db8::/32, 198.51.100.7", "192.0.3.0"));
    cr_assert_not(contains("192.0.2.0/24, 2001:db8::/32, 198.51.100.7", "2001:db9::"));
    cr_assert_not(contains("192.0.2.0/24, 2001:db8::/32, 198.51.100.7", "198.51.100.6"));
    cr_assert_not(contains("192.0.2.128/25", "192.0.2.127"));
    cr_assert_not(contains("192.0.2.4/31", "192.0.2.6"));
    cr_assert_not(contains("2001:db8::8000/113", "2001:db8::7fff"));
    cr_assert_not(contains("0.0.0.0/0", "::1"));
    cr_assert_not(contains("::/0", "192.0.2.1"));
    cr_assert_not(contains("::ffff:192.0.2.0/120", "192.0.3.9"));
    struct ranges all;
    struct view bad;
    struct address nobody = {0};
    cr_assert(ranges_parse(view_text("0.0.0.0/0, ::/0"), &all, &bad));
    cr_assert_not(ranges_contain(&all, &nobody));
}

Test(ranges, name_the_item_that_is_wrong) {
    static const char *const items[] = {
        "192.0.2.1/24",
        "192.0.2.0/33",
        "192.0.2.0/",
        "192.0.2.0/-1",
        "192.0.2.0/+8",
        "192.0.2.0/08",
        "/24",
        "/",
        "192.0.2.0/24/24",
        "192.0.2.0/ 24",
        "192.0.2.0/999999999999999999999",
        "2001:db8::/129",
        "2001:db8::1/64",
        "::ffff:192.0.2.0/95",
        "::ffff:192.0.2.0/24",
        "::ffff:192.0.2.1/120",
        "192.0.2.1:5432",
        "host",
        "1",
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        char list[128];
        struct writer w = writer_of(list, sizeof list);
        writer_format(&w, "10.0.0.0/8, %s , 192.0.2.0/24", items[i]);
        struct ranges ranges;
        struct view bad;
        cr_assert_not(ranges_parse(writer_view(&w), &ranges, &bad), "%s", items[i]);
        cr_assert(view_equal_text(bad, items[i]), "%s", items[i]);
        cr_assert_eq(ranges.count, 0);
    }
}

Test(ranges, are_bounded) {
    char list[RANGES_MAX * 16 + 64];
    struct writer w = writer_of(list, sizeof list);
    struct ranges ranges;
    struct view bad;
    for (int i = 0; i < RANGES_MAX; i++)
        writer_format(&w, "%s10.0.0.%d", i ? "," : "", i);
    cr_assert(ranges_parse(writer_view(&w), &ranges, &bad));
    cr_assert_eq(ranges.count, RANGES_MAX);
    writer_text(&w, ",192.0.2.1");
    cr_assert_not(ranges_parse(writer_view(&w), &ranges, &bad));
    cr_assert(view_equal_text(bad, "192.0.2.1"));
}
