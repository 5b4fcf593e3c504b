"""What the house writes down for its owners: invoices to print, sales to export."""
