/* Linux 6.1 as a user program gives back 2,696 bytes of a process's floating-point state; a host whose processor
   has more of it (AMX: 11,008) refuses less than the whole (EFAULT) since Linux 5.13. Preloaded into that program:
   what it gives is laid over the state that the process has. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

static char whole[1 << 16];

long ptrace(enum __ptrace_request request, ...) {
    static long (*next)(enum __ptrace_request, ...);
    va_list arguments;
    va_start(arguments, request);
    pid_t pid = va_arg(arguments, pid_t);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);
    if (!next) next = dlsym(RTLD_NEXT, "ptrace");
    if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE) {
        struct iovec *given = data, state = {whole, sizeof whole};
        if (next(PTRACE_GETREGSET, pid, address, &state) == 0 && given->iov_len < state.iov_len) {
            memcpy(whole, given->iov_base, given->iov_len);
            return next(request, pid, address, &state);
        }
    }
    return next(request, pid, address, data);
}
