// Loads the addon in a program that runs under musl's loader: every symbol resolves, and the module registers. What Node and
// its OpenSSL would give is stubs.c, made by the test from what the addon asks for; nothing of it is reached but these.
//
//   ld-musl-x86_64.so.1 host ADDON
#include <dlfcn.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

static int functions;

EXPORT int napi_create_function(void *env, const char *name, size_t length, void *callback, void *data, void **value) {
  (void)env, (void)length, (void)callback, (void)data;
  printf("%s\n", name);
  *value = &functions;
  return 0;
}

EXPORT int napi_set_named_property(void *env, void *object, const char *name, void *value) {
  (void)env, (void)object, (void)name, (void)value;
  functions++;
  return 0;
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  void *addon = dlopen(arguments[1], RTLD_NOW);
  if (addon == NULL) {
    printf("%s\n", dlerror());
    return 1;
  }
  void *(*initialize)(void *, void *) = (void *(*)(void *, void *))dlsym(addon, "napi_register_module_v1");
  if (initialize == NULL || initialize(NULL, &functions) != &functions) return 3;
  return functions == 3 ? 0 : 4;
}
