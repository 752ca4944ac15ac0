DROP INDEX customers_by_merged_into;
