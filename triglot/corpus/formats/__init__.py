"""One module for each format of data; `registry` lists them."""
