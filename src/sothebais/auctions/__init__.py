"""The auction house's heart: rules, engine, clock, proof."""
