"""The grader: owns points, verdicts and reports, and starts everything below it."""
