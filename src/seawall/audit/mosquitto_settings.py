"""The names of Mosquitto's settings, by the section that they belong to.

Sources: mosquitto.conf(5) and ``src/conf.c`` of 2.0.11 to 2.0.22.
"""

from __future__ import annotations

import re
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LISTENER_SETTINGS: Final = _words(
    """
    accept_protocol_versions allow_zero_length_clientid bind_address bind_interface cafile capath
    certfile ciphers ciphers_tls1.3 crlfile dhparamfile disable_client_cert_date_checks
    enable_proxy_protocol http_dir keyfile listener_allow_anonymous listener_auto_id_prefix
    max_connections max_qos max_topic_alias max_topic_alias_broker mount_point port protocol
    proxy_protocol_v2_require_tls psk_hint require_certificate socket_domain tls_engine
    tls_engine_kpass_sha1 tls_keyform tls_version use_identity_as_username use_subject_as_username
    use_username_as_clientid websockets_origin
    """
)
SECURITY_SETTINGS: Final = _words(
    """
    acl_file allow_anonymous auth_plugin auth_plugin_deny_special_chars auto_id_prefix
    password_file plugin plugin_load plugin_use psk_file
    """
)
"""They belong to the listener above them under ``per_listener_settings true`` alone."""
SECURITY_PREFIXES: Final = ("auth_opt_", "plugin_opt_")
SECRET: Final = re.compile(
    r"(?:(?:remote_|local_)?password|bridge_psk"
    r"|(?:auth|plugin)_opt_\w*(?:passw(?:or)?d|secret|token|key)\w*)"
)
NO_SECRET: Final = re.compile(
    r"\w+_opt_\w*(?:file|path|dir|uri|url|query|field|size|length|ssl_?key)"
)
PLUGIN_FILE: Final = re.compile(
    r"(?:auth|plugin)_opt_\w*(?:config|password|acl|secret|key|passwd|db)_?(?:file|path)"
)
BRIDGE_SETTINGS: Final = _words(
    """
    address addresses bridge_alpn bridge_attempt_unsubscribe bridge_bind_address bridge_cafile
    bridge_capath bridge_certfile bridge_ciphers bridge_ciphers_tls1.3 bridge_clean_start
    bridge_identity bridge_insecure bridge_keyfile bridge_max_packet_size bridge_max_topic_alias
    bridge_outgoing_retain bridge_protocol_version bridge_psk bridge_receive_maximum
    bridge_reload_type bridge_require_ocsp bridge_session_expiry_interval bridge_tcp_keepalive
    bridge_tcp_user_timeout bridge_tls_use_os_certs bridge_tls_version cleansession clientid
    idle_timeout keepalive_interval local_cleansession local_clientid local_password local_username
    notification_topic notifications notifications_local_only password remote_clientid
    remote_password remote_username restart_timeout round_robin start_type threshold topic
    try_private username
    """
)
GENERAL_SETTINGS: Final = _words(
    """
    allow_duplicate_messages autosave_interval autosave_on_changes check_retain_source
    clientid_prefixes connection_messages enable_control_api global_max_clients
    global_max_connections global_plugin include_dir log_dest log_facility log_timestamp
    log_timestamp_format log_type max_inflight_bytes max_inflight_messages max_keepalive
    max_packet_size max_queued_bytes max_queued_messages memory_limit message_size_limit
    packet_buffer_size per_listener_settings persistence persistence_file persistence_location
    persistent_client_expiration pid_file queue_qos0_messages retain_available
    retain_expiry_interval retry_interval set_tcp_nodelay store_clean_interval sys_interval
    upgrade_outgoing_qos user websockets_headers_size websockets_log_level
    """
)
ALL_SETTINGS: Final = (
    LISTENER_SETTINGS | SECURITY_SETTINGS | BRIDGE_SETTINGS | GENERAL_SETTINGS
) | {"listener", "connection"}
