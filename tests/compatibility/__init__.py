"""Objects as earlier versions have stored them: whoever upgrades has these, and this version reads them."""
