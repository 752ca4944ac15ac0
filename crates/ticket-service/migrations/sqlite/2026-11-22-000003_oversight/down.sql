DROP TABLE oversight_marks;
