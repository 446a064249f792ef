#include "connector.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "socket.h"

struct connector {
  uv_poll_t poll;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle hook;
  int fd;
  int references; // the handle in JavaScript, and the loop until it has closed the poll handle
  bool ended;
};

static void drop(struct connector *connector) {
  if (--connector->references == 0) free(connector);
}

// The last call from the loop.
static void closed(uv_handle_t *handle) {
  struct connector *connector = handle->data;
  if (connector->hook != NULL) (void)napi_remove_async_cleanup_hook(connector->hook);
  drop(connector);
}

// Leaves epoll before the descriptor is closed; the socket itself lives on under the placeholder's number.
static void end(struct connector *connector) {
  connector->ended = true;
  (void)uv_poll_stop(&connector->poll);
  uv_close((uv_handle_t *)&connector->poll, closed);
  (void)close(connector->fd);
}

// The environment goes away, with the thread of a worker for instance. No JavaScript runs any more.
static void teardown(napi_async_cleanup_hook_handle hook, void *data) {
  struct connector *connector = data;
  (void)hook;
  if (!connector->ended) end(connector);
}

static void forget_callback(struct connector *connector) {
  (void)napi_delete_reference(connector->env, connector->callback);
  (void)napi_async_destroy(connector->env, connector->context);
}

static void call_back(struct connector *connector, int result) {
  napi_env env = connector->env;
  napi_handle_scope scope;
  napi_value callback, receiver, value, exception;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, connector->callback, &callback) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok && napi_create_int32(env, result, &value) == napi_ok) {
    napi_async_context context = connector->context;
    if (napi_make_callback(env, context, receiver, callback, 1, &value, NULL) == napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
      (void)napi_fatal_exception(env, exception);
    }
  }
  forget_callback(connector);
  (void)napi_close_handle_scope(env, scope);
}

static void polled(uv_poll_t *poll, int status, int events) {
  struct connector *connector = poll->data;
  (void)status; // on POLLERR it is UV_EBADF, whatever the error: the socket knows better
  (void)events;
  int result = vsock_connect_result(connector->fd);
  if (result == -EINPROGRESS) {
    if (status == 0) return;
    result = -EIO; // an error that the socket does not name
  }
  connector->references++; // the callback may let go of the handle
  end(connector);
  call_back(connector, result);
  drop(connector);
}

struct connector *connector_start(napi_env env, int fd, napi_value callback) {
  uv_loop_t *loop = NULL;
  napi_value name;
  struct connector *connector = calloc(1, sizeof *connector);
  if (connector == NULL) {
    (void)napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  connector->env = env;
  connector->fd = fd;
  connector->poll.data = connector;
  connector->references = 2;
  bool made = napi_get_uv_event_loop(env, &loop) == napi_ok &&
              napi_create_string_utf8(env, "VSOCKCONNECT", NAPI_AUTO_LENGTH, &name) == napi_ok &&
              napi_create_reference(env, callback, 1, &connector->callback) == napi_ok;
  if (made && napi_async_init(env, NULL, name, &connector->context) != napi_ok) {
    (void)napi_delete_reference(env, connector->callback);
    made = false;
  }
  if (!made || uv_poll_init(loop, &connector->poll, fd) != 0) {
    if (made) forget_callback(connector);
    free(connector);
    (void)napi_throw_error(env, NULL, "a connection cannot be watched");
    return NULL;
  }
  if (uv_poll_start(&connector->poll, UV_WRITABLE, polled) != 0 ||
      napi_add_async_cleanup_hook(env, teardown, connector, &connector->hook) != napi_ok) {
    (void)napi_throw_error(env, NULL, "a connection cannot be watched");
    forget_callback(connector);
    connector->fd = -1;
    connector->ended = true;
    uv_close((uv_handle_t *)&connector->poll, closed);
    drop(connector); // no JavaScript handle will be made
    return NULL;
  }
  return connector;
}

void connector_cancel(struct connector *connector) {
  if (connector->ended) return;
  end(connector);
  forget_callback(connector);
}

void connector_ref(struct connector *connector, bool ref) {
  if (connector->ended) return;
  if (ref) {
    uv_ref((uv_handle_t *)&connector->poll);
  } else {
    uv_unref((uv_handle_t *)&connector->poll);
  }
}

void connector_release(struct connector *connector) { drop(connector); }
