#include "exchange.h"

#include <errno.h>

#include "ioctl.h"

int nsm_exchange(int fd, const uint8_t *request, size_t request_length, uint8_t *response, size_t *response_length) {
  int error;
  struct nsm_raw raw;
  do {
    raw.request.address = (uint64_t)(uintptr_t)request;
    raw.request.length = request_length;
    raw.response.address = (uint64_t)(uintptr_t)response;
    raw.response.length = NSM_RESPONSE_MAX;
    error = nsm_ioctl(fd, &raw);
  } while (error == EINTR);
  if (error != 0) return error;
  if (raw.response.length > NSM_RESPONSE_MAX) return EOVERFLOW;
  *response_length = (size_t)raw.response.length;
  return 0;
}
