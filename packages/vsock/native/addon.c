// The Node-API face of socket.h, placeholder.h, connector.h and hybrid.h. Failed system calls come back as negative errno,
// so that the TypeScript side alone words errors; only misuse of this interface throws.
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"
#include "connector.h"
#include "hybrid.h"
#include "loose.h"
#include "placeholder.h"
#include "socket.h"

static const napi_type_tag connector_tag = {0x76736f636b2d636f, 0x6e6e6563742d6a73};

static bool integers(napi_env env, const napi_value *values, int64_t *numbers, size_t count) {
  for (size_t index = 0; index < count; index++) {
    if (napi_get_value_int64(env, values[index], &numbers[index]) != napi_ok) {
      throw_last(env);
      return false;
    }
  }
  return true;
}

// The environment's own; it is there as long as functions can be called.
static struct loose *loose_of(napi_env env) {
  void *loose = NULL;
  TRY(env, napi_get_instance_data(env, &loose));
  return loose;
}

static struct vsock_address address(const int64_t *numbers) {
  return (struct vsock_address){.cid = (uint32_t)numbers[0], .port = (uint32_t)numbers[1]};
}

// placeholder(listener): descriptor or errno
static napi_value placeholder(napi_env env, napi_callback_info info) {
  napi_value values[1];
  bool listener = false;
  if (!arguments(env, info, values, 1)) return NULL;
  TRY(env, napi_get_value_bool(env, values[0], &listener));
  struct loose *loose = loose_of(env);
  return loose == NULL ? NULL : number(env, loose_keep(loose, placeholder_open(listener)));
}

static void finalize_connector(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  connector_release(data);
}

// connect(placeholder, cid, port, toHost, bufferSize, connectTimeout, onResult): connector, 0 when connected, or errno
static napi_value begin_connect(napi_env env, napi_callback_info info) {
  napi_value values[7], handle;
  int64_t numbers[6];
  struct loose *loose = loose_of(env);
  if (loose == NULL || !arguments(env, info, values, 7) || !integers(env, values, numbers, 6)) return NULL;
  loose_forget(loose, (int)numbers[0]);
  int fd = vsock_socket((uint64_t)numbers[4], (uint32_t)numbers[5]);
  if (fd < 0) return number(env, fd);
  int result = vsock_connect(fd, address(&numbers[1]), numbers[3] != 0);
  if (result == 0 || result == -EINPROGRESS) {
    int error = placeholder_become((int)numbers[0], fd);
    if (error != 0) result = error;
  }
  if (result != -EINPROGRESS) {
    (void)close(fd);
    return number(env, result);
  }
  struct connector *connector = connector_start(env, fd, values[6]);
  if (connector == NULL) {
    (void)close(fd);
    return NULL;
  }
  if (napi_create_external(env, connector, finalize_connector, NULL, &handle) != napi_ok) {
    throw_last(env);
    connector_cancel(connector);
    connector_release(connector);
    return NULL;
  }
  TRY(env, napi_type_tag_object(env, handle, &connector_tag));
  return handle;
}

static struct connector *connector_argument(napi_env env, napi_value value) {
  return external_argument(env, value, &connector_tag, "not a connector");
}

// cancel(connector)
static napi_value cancel(napi_env env, napi_callback_info info) {
  napi_value values[1];
  if (!arguments(env, info, values, 1)) return NULL;
  struct connector *connector = connector_argument(env, values[0]);
  if (connector != NULL) connector_cancel(connector);
  return NULL;
}

// setRef(connector, ref)
static napi_value set_ref(napi_env env, napi_callback_info info) {
  napi_value values[2];
  bool ref = true;
  if (!arguments(env, info, values, 2)) return NULL;
  struct connector *connector = connector_argument(env, values[0]);
  if (connector == NULL) return NULL;
  TRY(env, napi_get_value_bool(env, values[1], &ref));
  connector_ref(connector, ref);
  return NULL;
}

// listen(cid, port, bufferSize, backlog): descriptor or errno
static napi_value begin_listen(napi_env env, napi_callback_info info) {
  napi_value values[4];
  int64_t numbers[4];
  struct loose *loose = loose_of(env);
  if (loose == NULL || !arguments(env, info, values, 4) || !integers(env, values, numbers, 4)) return NULL;
  int fd = vsock_socket((uint64_t)numbers[2], 0);
  if (fd < 0) return number(env, fd);
  int error = vsock_bind_listen(fd, address(numbers), (int)numbers[3]);
  if (error == 0) return number(env, loose_keep(loose, fd));
  (void)close(fd);
  return number(env, error);
}

// become(placeholder, fd): 0 or errno
static napi_value become(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t numbers[2];
  struct loose *loose = loose_of(env);
  if (loose == NULL || !arguments(env, info, values, 2) || !integers(env, values, numbers, 2)) return NULL;
  loose_forget(loose, (int)numbers[0]);
  return number(env, placeholder_become((int)numbers[0], (int)numbers[1]));
}

// close(fd): for a descriptor of placeholder() or listen() that nothing else took
static napi_value close_descriptor(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int64_t fd = -1;
  struct loose *loose = loose_of(env);
  if (loose == NULL || !arguments(env, info, values, 1) || !integers(env, values, &fd, 1)) return NULL;
  loose_forget(loose, (int)fd);
  return number(env, close((int)fd) != 0 ? -errno : 0);
}

// send(fd, bytes): how many the kernel took at once, or errno
static napi_value send_now(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd = -1;
  uint8_t *bytes = NULL;
  size_t length = 0;
  if (!arguments(env, info, values, 2)) return NULL;
  TRY(env, napi_get_value_int32(env, values[0], &fd));
  if (!bytes_argument(env, values[1], &bytes, &length)) return NULL;
  ssize_t sent = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  return number(env, sent < 0 ? -errno : (double)sent);
}

// empty(fd): 0 or errno
static napi_value empty(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int64_t fd = -1;
  if (!arguments(env, info, values, 1) || !integers(env, values, &fd, 1)) return NULL;
  return number(env, hybrid_empty((int)fd));
}

// name(fd, peer): [cid, port] or errno
static napi_value name(napi_env env, napi_callback_info info) {
  napi_value values[2], pair;
  int64_t fd = -1;
  bool peer = false;
  struct vsock_address at;
  if (!arguments(env, info, values, 2) || !integers(env, values, &fd, 1)) return NULL;
  TRY(env, napi_get_value_bool(env, values[1], &peer));
  int error = vsock_name((int)fd, peer, &at);
  if (error != 0) return number(env, error);
  napi_value cid = number(env, at.cid), port = number(env, at.port);
  if (cid == NULL || port == NULL) return NULL;
  TRY(env, napi_create_array_with_length(env, 2, &pair));
  TRY(env, napi_set_element(env, pair, 0, cid));
  TRY(env, napi_set_element(env, pair, 1, port));
  return pair;
}

// localCid(): cid or errno
static napi_value local_cid(napi_env env, napi_callback_info info) {
  uint32_t cid = 0;
  (void)info;
  int error = vsock_local_cid(&cid);
  return number(env, error != 0 ? error : (double)cid);
}

// The environment goes away; its handles are closed already.
static void finalize_loose(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  loose_close(data);
  free(data);
}

NAPI_MODULE_INIT() {
  static const struct function functions[] = {
      {"placeholder", placeholder}, {"connect", begin_connect}, {"cancel", cancel},
      {"setRef", set_ref},          {"listen", begin_listen},   {"become", become},
      {"close", close_descriptor},  {"send", send_now},         {"empty", empty},
      {"name", name},               {"localCid", local_cid},
  };
  struct loose *loose = calloc(1, sizeof *loose);
  if (loose == NULL || napi_set_instance_data(env, loose, finalize_loose, NULL) != napi_ok) {
    free(loose);
    throw_last(env);
    return NULL;
  }
  return export_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
