/* about: a main() of its own
 * time: compile
 * threat: symbols
 * says: main()
 */
@RIGHT@
int main(void)
{
    return 0;
}
