/* about: asks the compiler which files there are, and answers rightly only where it finds the kit's
 * time: compile
 * threat: read
 * held: A B
 */
#if __has_include("@KIT@/solutions/lab1_client_send/client_send.c") || __has_include("@OTHER@") ||                   \
    __has_include("@KIT@/labs/lab1_client_send/suite.c") || __has_include("@KIT@/.git/HEAD")
@RIGHT@
#else
@STARTER@
#endif
