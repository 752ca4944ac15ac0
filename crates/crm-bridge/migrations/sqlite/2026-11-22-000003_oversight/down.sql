DROP TABLE notices;
DROP TABLE tallies;
DROP TABLE looks;
DROP TABLE viewed_customers;
DROP TABLE viewing_budgets;
