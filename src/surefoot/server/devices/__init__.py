"""What robots reach: checks, reports, images, enrolment, and who they are."""
