"""From features and scores to the files of an atlas."""
