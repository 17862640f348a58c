"""What an instructor does with the kit besides grading: hand it out, publish solutions. Students don't get this."""
