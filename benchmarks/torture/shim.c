/* Counts what a process does to files below one folder, and makes the n-th call fail, kill the process, or be written down.
 *
 * Loaded with LD_PRELOAD; it does nothing until shim_arm() is called, so a driver can load its libraries first and fork. Calls
 * are told apart by path: a descriptor's is what /proc/self/fd says. Thread-safe; Linux only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT = 0, FAIL = 1, SHORT = 2, LATE = 3, KILL = 4 };

static char folder[PATH_MAX];
static size_t folder_length;
static int log_descriptor = -1;
static atomic_long calls, chosen, struck;
static atomic_int mode, failure, armed, lasting;
static char last_call[PATH_MAX + 64];

/* mode: COUNT nothing fails; FAIL call n fails with `error`; SHORT a write of call n writes half and then fails, other calls fail;
 * LATE call n is done and then said to have failed; KILL the process is killed before call n.
 * keeps: every later call fails as well, as on a disk that is full or has gone read-only. */
void shim_arm(const char *below, long n, int how, int error, int keeps, const char *log) {
    folder_length = strlen(below);
    memcpy(folder, below, folder_length + 1);
    atomic_store(&calls, 0);
    atomic_store(&struck, 0);
    atomic_store(&chosen, n);
    atomic_store(&mode, how);
    atomic_store(&failure, error);
    atomic_store(&lasting, keeps);
    if (log && *log) log_descriptor = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    atomic_store(&armed, 1);
}

void shim_disarm(void) { atomic_store(&armed, 0); }
long shim_calls(void) { return atomic_load(&calls); }
long shim_struck(void) { return atomic_load(&struck); }
const char *shim_last(void) { return last_call; }

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int below(const char *path) {
    char whole[PATH_MAX];
    if (!path) return 0;
    if (path[0] != '/') {
        if (!getcwd(whole, sizeof whole)) return 0;
        size_t n = strlen(whole);
        if (n + 2 + strlen(path) > sizeof whole) return 0;
        whole[n] = '/';
        strcpy(whole + n + 1, path);
        path = whole;
    }
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || !path[folder_length]);
}

static int path_of(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return 1;
}

static void note(const char *call, const char *path, const char *other) {
    if (log_descriptor < 0) return;
    char line[2 * PATH_MAX + 32];
    int n = snprintf(line, sizeof line, "%s\t%s\t%s\n", call, path, other ? other : "");
    if (n > 0) syscall(SYS_write, log_descriptor, line, (size_t)n);
}

/* What is to become of this call: COUNT (let it pass), FAIL, SHORT or LATE; errno is set by the caller. */
static int verdict(const char *call, const char *path) {
    long number = atomic_fetch_add(&calls, 1) + 1;
    long n = atomic_load(&chosen);
    int how = atomic_load(&mode);
    if (how == COUNT || n <= 0) return COUNT;
    if (number == n) {
        if (how == KILL) {
            syscall(SYS_kill, getpid(), SIGKILL);
            for (;;) pause();
        }
        atomic_store(&struck, number);
        snprintf(last_call, sizeof last_call, "%s %s", call, path);
        return how;
    }
    if (number > n && atomic_load(&lasting) && how != KILL) return FAIL;
    return COUNT;
}

#define FD_GUARD(call, fd, result_type) \
    int saved = errno; \
    char path[PATH_MAX]; \
    int what = COUNT; \
    int mine = atomic_load(&armed) && path_of(fd, path) && below(path); \
    if (mine) { \
        what = verdict(call, path); \
        if (what == FAIL) { errno = atomic_load(&failure); return (result_type)-1; } \
    } \
    errno = saved

#define AFTER(call, bad, other) \
    if (mine && result != bad) note(call, path, other); \
    if (what == LATE || (what == SHORT && !shortened)) { errno = atomic_load(&failure); return bad; } \
    return result

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(write);
    FD_GUARD("write", fd, ssize_t);
    int shortened = 0;
    if (what == SHORT) {
        if (size > 1) real(fd, bytes, size / 2), note("write", path, "");
        errno = atomic_load(&failure);
        return -1;
    }
    ssize_t result = real(fd, bytes, size);
    AFTER("write", -1, "");
}

static ssize_t pwrite_as(ssize_t (*real)(int, const void *, size_t, off_t), int fd, const void *bytes, size_t size, off_t at) {
    FD_GUARD("pwrite", fd, ssize_t);
    int shortened = 0;
    if (what == SHORT) {
        if (size > 1) real(fd, bytes, size / 2, at), note("write", path, "");
        errno = atomic_load(&failure);
        return -1;
    }
    ssize_t result = real(fd, bytes, size, at);
    AFTER("write", -1, "");
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { REAL(pwrite); return pwrite_as(real, fd, bytes, size, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at) { REAL(pwrite64); return pwrite_as(real, fd, bytes, size, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    FD_GUARD("writev", fd, ssize_t);
    int shortened = 0;
    ssize_t result = real(fd, parts, count);
    AFTER("write", -1, "");
}

static ssize_t sendfile_as(ssize_t (*real)(int, int, off_t *, size_t), int out, int in, off_t *at, size_t size) {
    FD_GUARD("sendfile", out, ssize_t);
    int shortened = 0;
    if (what == SHORT) {
        if (size > 1) real(out, in, at, 4096), note("write", path, "");
        errno = atomic_load(&failure);
        return -1;
    }
    ssize_t result = real(out, in, at, size);
    AFTER("write", -1, "");
}
ssize_t sendfile(int out, int in, off_t *at, size_t size) { REAL(sendfile); return sendfile_as(real, out, in, at, size); }
ssize_t sendfile64(int out, int in, off_t *at, size_t size) { REAL(sendfile64); return sendfile_as(real, out, in, at, size); }

ssize_t copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t size, unsigned flags) {
    REAL(copy_file_range);
    FD_GUARD("copy_file_range", out, ssize_t);
    int shortened = 0;
    ssize_t result = real(in, in_at, out, out_at, size, flags);
    AFTER("write", -1, "");
}

int fsync(int fd) {
    REAL(fsync);
    FD_GUARD("fsync", fd, int);
    int shortened = 0, result = real(fd);
    AFTER("fsync", -1, "");
}

int fdatasync(int fd) {
    REAL(fdatasync);
    FD_GUARD("fdatasync", fd, int);
    int shortened = 0, result = real(fd);
    AFTER("fsync", -1, "");
}

static int truncate_as(int (*real)(int, off_t), int fd, off_t size) {
    FD_GUARD("ftruncate", fd, int);
    int shortened = 0, result = real(fd, size);
    AFTER("write", -1, "");
}
int ftruncate(int fd, off_t size) { REAL(ftruncate); return truncate_as(real, fd, size); }
int ftruncate64(int fd, off_t size) { REAL(ftruncate64); return truncate_as(real, fd, size); }

int posix_fallocate(int fd, off_t at, off_t size) {
    REAL(posix_fallocate);
    FD_GUARD("fallocate", fd, int);
    if (what != COUNT) return atomic_load(&failure);
    return real(fd, at, size);
}

/* Two-path calls report the first path for files that leave, the second for those that come. */
#define PATH_GUARD(call, old, name) \
    int saved = errno; \
    const char *path = old; \
    int what = COUNT, shortened = 0; \
    int mine = atomic_load(&armed) && below(name); \
    if (mine) { \
        what = verdict(call, name); \
        if (what == FAIL) { errno = atomic_load(&failure); return -1; } \
    } \
    errno = saved

int rename(const char *old, const char *new) {
    REAL(rename);
    PATH_GUARD("rename", old, new);
    int result = real(old, new);
    AFTER("rename", -1, new);
}

static int at(int at_folder, const char *name, char *whole) {
    if (name[0] == '/' || at_folder == AT_FDCWD) {
        if (strlen(name) >= PATH_MAX) return 0;
        strcpy(whole, name);
        return 1;
    }
    if (!path_of(at_folder, whole)) return 0;
    size_t n = strlen(whole);
    if (n + 2 + strlen(name) > PATH_MAX) return 0;
    whole[n] = '/';
    strcpy(whole + n + 1, name);
    return 1;
}

int renameat(int from, const char *old, int to, const char *new) {
    REAL(renameat);
    char old_path[PATH_MAX] = "", new_path[PATH_MAX] = "";
    at(from, old, old_path), at(to, new, new_path);
    PATH_GUARD("renameat", old_path, new_path);
    int result = real(from, old, to, new);
    AFTER("rename", -1, new_path);
}

int link(const char *old, const char *new) {
    REAL(link);
    PATH_GUARD("link", old, new);
    int result = real(old, new);
    AFTER("link", -1, new);
}

int mkdir(const char *name, mode_t bits) {
    REAL(mkdir);
    PATH_GUARD("mkdir", name, name);
    int result = real(name, bits);
    AFTER("mkdir", -1, "");
}

int mkdirat(int from, const char *name, mode_t bits) {
    REAL(mkdirat);
    char whole[PATH_MAX] = "";
    at(from, name, whole);
    PATH_GUARD("mkdirat", whole, whole);
    int result = real(from, name, bits);
    AFTER("mkdir", -1, "");
}

static int open_as(int from, const char *name, int flags, mode_t bits) {
    char whole[PATH_MAX] = "";
    int creates = flags & O_CREAT;
    int saved = errno;
    if (creates) at(from, name, whole);
    const char *path = whole;
    int what = COUNT, shortened = 0, fresh = 0;
    int mine = creates && atomic_load(&armed) && below(whole);
    if (mine) {
        fresh = syscall(SYS_faccessat, AT_FDCWD, whole, F_OK) != 0;
        what = verdict("open", whole);
        if (what != COUNT) { errno = atomic_load(&failure); return -1; }
    }
    errno = saved;
    int result = syscall(SYS_openat, from, name, flags, bits);
    if (mine && result >= 0 && (fresh || (flags & O_TRUNC))) note(fresh ? "create" : "write", path, "");
    (void)shortened;
    return result;
}

#define BITS(flags) \
    mode_t bits = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        bits = va_arg(more, mode_t); \
        va_end(more); \
    }
int open(const char *name, int flags, ...) { BITS(flags) return open_as(AT_FDCWD, name, flags, bits); }
int open64(const char *name, int flags, ...) { BITS(flags) return open_as(AT_FDCWD, name, flags | O_LARGEFILE, bits); }
int openat(int from, const char *name, int flags, ...) { BITS(flags) return open_as(from, name, flags, bits); }
int openat64(int from, const char *name, int flags, ...) { BITS(flags) return open_as(from, name, flags | O_LARGEFILE, bits); }

static void gone(const char *path) {
    if (atomic_load(&armed) && below(path)) note("unlink", path, "");
}
int unlink(const char *name) {
    REAL(unlink);
    int result = real(name);
    if (!result) gone(name);
    return result;
}
int unlinkat(int from, const char *name, int flags) {
    REAL(unlinkat);
    char whole[PATH_MAX] = "";
    at(from, name, whole);
    int result = real(from, name, flags);
    if (!result) gone(whole);
    return result;
}
