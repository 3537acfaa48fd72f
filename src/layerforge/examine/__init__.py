"""Any zip, whoever made it: what every file of it is, without running anything. In: a zip. Out: an examination."""
