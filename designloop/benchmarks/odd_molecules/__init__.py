"""What the filters of odd molecules refuse: of drugs and held-out ZINC hardly any, of what nobody would make most."""
