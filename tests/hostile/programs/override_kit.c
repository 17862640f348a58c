/* about: functions with the names of the probe's and the recorder's
 * time: compile
 * threat: symbols
 */
@RIGHT@
void report_open(void) { }
void report_begin(void) { }
void report_call(long long result, int error) { (void)result, (void)error; }
void recorder_step_aside(int on) { (void)on; }
int dial(const char *ip, const char *port) { (void)ip, (void)port; return -1; }
