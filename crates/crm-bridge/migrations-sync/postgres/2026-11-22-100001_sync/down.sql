DROP TABLE hints;
DROP TABLE mirror_policies;
DROP TABLE mirror_addresses;
DROP TABLE mirror;
DROP TABLE leases;
DROP TABLE feeds;
