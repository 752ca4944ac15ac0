-- How far the comparison of looks with work has come, and which notice supervisors were told of last.
CREATE TABLE oversight_marks (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
