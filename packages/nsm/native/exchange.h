#ifndef ENCLAVEJS_NSM_EXCHANGE_H
#define ENCLAVEJS_NSM_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

// One request and its response. `response` must hold NSM_RESPONSE_MAX bytes. Returns 0 or errno; EOVERFLOW, which the
// driver never gives, says that it reported more bytes than the response buffer holds.
int nsm_exchange(int fd, const uint8_t *request, size_t request_length, uint8_t *response, size_t *response_length);

#endif
