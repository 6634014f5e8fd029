/* What our own PJSIP build is compiled for: many audio calls in one process, no sound card. */
#define PJMEDIA_HAS_VIDEO           0
#define PJSUA_HAS_VIDEO             0
#define PJSUA_HAS_SIPREC            1

#define PJSUA_MAX_CALLS             1024
#define PJSUA_MAX_ACC               64
#define PJSUA_MAX_PLAYERS           1024
#define PJSUA_MAX_RECORDERS         2100
#define PJSUA_MAX_CONF_PORTS        5200
#define PJ_IOQUEUE_MAX_HANDLES      10000

/* Hash sizes (2^n - 1) that are limits too: at 50 set-ups a second over UDP a server transaction
 * stays 32 s (RFC 3261 17.2.1, timers H and J). */
#define PJSIP_MAX_TSX_COUNT         (16384-1)
#define PJSIP_MAX_DIALOG_COUNT      (4096-1)

/* SIPREC metadata makes long messages, and its answer is edited as text. */
#define PJSIP_MAX_PKT_LEN           16000
#define PJSUA2_MAX_SDP_BUF_LEN      16000
