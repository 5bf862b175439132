"""What DL/T 698.45 calls its messages and their parts, in words."""

from collections.abc import Mapping
from typing import Final

APDUS: Final[Mapping[str, tuple[str, str]]] = {
    "link_request": ("link request", "预连接请求"),
    "link_response": ("link response", "预连接响应"),
    "connect_request": ("connect request", "建立应用连接请求"),
    "connect_response": ("connect response", "建立应用连接响应"),
    "release_request": ("release request", "断开应用连接请求"),
    "release_response": ("release response", "断开应用连接响应"),
    "release_notification": ("release notification", "断开应用连接通知"),
    "get_request": ("get request", "读取请求"),
    "get_response": ("get response", "读取响应"),
    "set_request": ("set request", "设置请求"),
    "set_response": ("set response", "设置响应"),
    "action_request": ("action request", "操作请求"),
    "action_response": ("action response", "操作响应"),
    "report_notification": ("report notification", "上报通知"),
    "report_response": ("report response", "上报响应"),
    "proxy_request": ("proxy request", "代理请求"),
    "proxy_response": ("proxy response", "代理响应"),
    "security_request": ("security request", "安全请求"),
    "security_response": ("security response", "安全响应"),
    "error_response": ("error response", "异常响应"),
}
CHOICES: Final[Mapping[str, str]] = {
    "normal": "Normal",
    "normal_list": "NormalList",
    "record": "Record",
    "record_list": "RecordList",
    "next": "Next",
    "md5": "MD5",
    "then_get": "ThenGet",
    "transparent": "TransCommand",
    "get_list": "GetList",
    "get_record": "GetRecord",
    "set_list": "SetList",
    "set_then_get": "SetThenGetList",
    "action_list": "ActionList",
    "action_then_get": "ActionThenGetList",
}
DAR_ZH: Final[Mapping[int, str]] = {
    1: "硬件失效",
    2: "暂时失效",
    3: "拒绝读写",
    4: "对象未定义",
    5: "对象接口类不符合",
    6: "对象不存在",
    7: "类型不匹配",
    8: "越界",
    9: "数据块不可用",
    15: "密码错/未授权",
    27: "地址无效",
    32: "时间标签无效",
    33: "请求超时",
    255: "其它",
}
"""The results of access (DAR) whose meaning our sources state."""
