/* libgit2_stub.c: three functions of libgit2, which do nothing.
 *
 * Criterion links libgit2 to show how two texts differ, and sets it up in each test's process before it
 * knows whether it will be needed: about 9 ms of processor time a test, more than most tests here take
 * themselves. The suites say themselves how bytes differ, so they are linked with these in its place.
 * `make bench` shows what it saves; without this file all works the same, only slower.
 */
int git_libgit2_init(void);
int git_libgit2_shutdown(void);
int git_diff_buffers(void);

int git_libgit2_init(void)
{
    return 1;
}
int git_libgit2_shutdown(void)
{
    return 0;
}
int git_diff_buffers(void)
{
    return -1;
} /* "can't": Criterion then shows no difference */
