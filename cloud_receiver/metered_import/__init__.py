"""Importing what a meter counted from a file (读数导入): read, made records of, signed and committed like any other."""
