"""Meters on DL/T 645-2007 (多功能电能表通信协议): values behind data identifiers (数据标识)."""
