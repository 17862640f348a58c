"""A whole class: collects what was handed in, grades each submission by a grader of its own, writes the books.

fetch.py clones a class's repositories, collect.py finds submissions and takes the labs' files out of them, archives.py reads archives, pool.py runs graders,
records.py keeps a file a submission, books.py writes what an instructor reads, command.py puts it together.
Before that: handout.py writes the students' kit, publish.py adds solutions to it; course.py has their commands.
"""
