/* libgit2_stub.c: three functions of libgit2, which do nothing.
 *
 * Criterion links libgit2 to show how two texts differ. So each test's process loads it, with the fourteen
 * libraries that it needs in turn, and sets it up: more time than most tests here take themselves. The
 * suites say themselves how bytes differ. So build.py puts a library of this name beside the suite, which
 * is found before the real one. `make bench` shows a grade's time; without it all works the same, slower.
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
