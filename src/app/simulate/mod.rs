//! Simulating a company.
