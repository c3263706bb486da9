/* SPDX-License-Identifier: ISC
 *
 * Fuzzes address.c: lists of ranges, addresses with and without port, and an address in a channel's message.
 * What is taken is written as text and taken again.
 */
#include "address.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds) {
    if (!holds)
        abort();
}

static void check_list(struct view input) {
    struct ranges ranges;
    struct view bad;
    if (!ranges_parse(input, &ranges, &bad)) {
        require(ranges.count == 0);
        require(bad.len == 0 || (bad.at >= input.at && bad.len <= input.len - (size_t)(bad.at - input.at)));
        return;
    }
    require(ranges.count <= RANGES_MAX);
    for (size_t i = 0; i < ranges.count; i++) {
        const struct range *range = &ranges.range[i];
        require(range->base.family == 4 ? range->bits <= 32 : range->base.family == 6 && range->bits <= 128);
        require(ranges_contain(&ranges, &range->base));
    }
}

static void check_texts(struct view input) {
    struct address a, again;
    char text[ADDRESS_TEXT];
    if (address_parse(input, &a)) {
        address_text(&a, text);
        require(address_parse(view_text(text), &again) && address_equal(&a, &again));
    }
    if (address_parse_port(input, true, &a)) {
        address_text_port(&a, text);
        require(address_parse_port(view_text(text), true, &again) && address_equal(&a, &again));
    }
}

static void check_message(struct view input) {
    struct address a, again;
    struct reader r = reader_of(input);
    if (!address_read(&r, &a))
        return;
    uint8_t bytes[19];
    struct writer w = writer_of(bytes, sizeof bytes);
    address_write(&w, &a);
    require(!w.bad && view_equal(writer_view(&w), view_of(input.at, sizeof bytes)));
    struct sockaddr_storage sa;
    if (address_to_sockaddr(&a, &sa) > 0)
        require(address_from_sockaddr((struct sockaddr *)&sa, &again) && address_equal(&a, &again));
    else
        require(a.family == 0);
    struct address network = address_network(&a);
    require(network.port == 0 && network.family == a.family);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view input = view_of(data, size);
    check_list(input);
    check_texts(input);
    check_message(input);
    return 0;
}
