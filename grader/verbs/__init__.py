"""What a suite can ask for: one method do_VERB a request of grader/c/suite.h, in a room for each kind."""
