/* about: sends such words to the peer, which quotes what it received
 * time: report
 * threat: escapes
 */
#define HOOK                                                                                                          \
    send(fd, "\x1b[2J\x1b]0;owned\a\n::error::owned\n<script>owned()</script>]]>\xff```|=cmd()\xe2\x80\xae", 58, 0)
@HOOKED@
