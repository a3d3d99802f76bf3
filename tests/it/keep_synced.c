/* What a power cut would leave of a folder.
 *
 * Preloaded into a program, this copies a file below the folder $KEEP_FROM to the same place below
 * $KEEP_TO whenever the program waits for it to be on disk, and only then. What becomes of whole
 * files, renames and removals, is taken to be on disk at once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

/* The place below $KEEP_TO of a path below $KEEP_FROM; 0 where it is none. */
static int counterpart(const char *path, char out[PATH_MAX]) {
    const char *from = getenv("KEEP_FROM"), *to = getenv("KEEP_TO");
    size_t length = from ? strlen(from) : 0;
    if (!length || !to || strncmp(path, from, length) || path[length] != '/') return 0;
    return snprintf(out, PATH_MAX, "%s%s", to, path + length) < PATH_MAX;
}

static void make_folders(const char *path) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        mkdir(part, 0700);
        *at = '/';
    }
}

static void copy(const char *path, const char *to) {
    char beside[PATH_MAX + 8], buffer[1 << 16];
    int (*rename_really)(const char *, const char *) = real("rename");
    snprintf(beside, sizeof beside, "%s.part", to);
    make_folders(to);
    int in = open(path, O_RDONLY), out = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t got = -1;
    if (in >= 0 && out >= 0)
        while ((got = read(in, buffer, sizeof buffer)) > 0)
            if (write(out, buffer, got) != got) abort();
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    if (got == 0) rename_really(beside, to);
}

static void keep(int fd) {
    char link[64], path[PATH_MAX], to[PATH_MAX];
    struct stat is;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0 || fstat(fd, &is) || !S_ISREG(is.st_mode)) return;
    path[length] = 0;
    if (!counterpart(path, to)) return;
    pthread_mutex_lock(&turn);
    copy(path, to);
    pthread_mutex_unlock(&turn);
}

int fsync(int fd) {
    int (*really)(int) = real("fsync");
    int done = really(fd);
    if (!done) keep(fd);
    return done;
}

int fdatasync(int fd) {
    int (*really)(int) = real("fdatasync");
    int done = really(fd);
    if (!done) keep(fd);
    return done;
}

int rename(const char *old, const char *new) {
    int (*really)(const char *, const char *) = real("rename");
    char from[PATH_MAX], to[PATH_MAX];
    int done = really(old, new), why = errno;
    if (!done && counterpart(old, from) && counterpart(new, to)) really(from, to);
    errno = why;
    return done;
}

int unlink(const char *path) {
    int (*really)(const char *) = real("unlink");
    char gone[PATH_MAX];
    int done = really(path), why = errno;
    if (!done && counterpart(path, gone)) really(gone);
    errno = why;
    return done;
}
