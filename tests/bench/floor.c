/** The floor under kedge-agent's memory: the libraries that it is made of, each in use, connected by TLS, and nothing else.
 *
 *  Usage: floor HOST PORT CA CERTIFICATE KEY DIRECTORY. Prints "connected" and waits for SIGTERM. */
#include <cjson/cJSON.h>
#include <lmdb.h>
#include <malloc.h>
#include <mbedtls/sha256.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define MUST(call)                                                                                                                 \
    do {                                                                                                                           \
        int code_ = (call);                                                                                                        \
        if (code_ != 0) {                                                                                                          \
            (void)fprintf(stderr, "floor: %s: %d\n", #call, code_);                                                                \
            exit(1);                                                                                                               \
        }                                                                                                                          \
    } while (0)

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static void on_wake(uv_async_t *handle)
{
    (void)handle;
    (void)puts("connected");
    (void)fflush(stdout);
}

static void on_connect(struct mosquitto *client, void *wake, int code)
{
    (void)client;
    if (code == 0)
        (void)uv_async_send(wake);
}

/** A store with one record, as small as a store can be. */
static MDB_env *store_open(const char *directory)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi table;
    char text[] = "x";
    MDB_val value = { sizeof text, text };
    MUST(mdb_env_create(&env));
    MUST(mdb_env_set_mapsize(env, (size_t)1 << 30));
    MUST(mdb_env_open(env, directory, 0, 0600));
    MUST(mdb_txn_begin(env, NULL, 0, &txn));
    MUST(mdb_dbi_open(txn, NULL, 0, &table));
    MUST(mdb_put(txn, table, &value, &value, 0));
    MUST(mdb_txn_commit(txn));
    return env;
}

static void use_codecs(void)
{
    unsigned char digest[32];
    cJSON *json = cJSON_Parse("{\"a\":[1,2,3]}");
    MUST(json == NULL);
    cJSON_Delete(json);
    MUST(mbedtls_sha256_ret((const unsigned char *)"x", 1, digest, 0));
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_signal_t signals;
    uv_async_t wake;
    if (argc != 7) {
        (void)fprintf(stderr, "usage: floor HOST PORT CA CERTIFICATE KEY DIRECTORY\n");
        return 2;
    }
    (void)mallopt(M_ARENA_MAX, 1);
    use_codecs();
    MDB_env *env = store_open(argv[6]);
    MUST(uv_signal_init(loop, &signals));
    MUST(uv_signal_start(&signals, on_signal, SIGTERM));
    MUST(uv_async_init(loop, &wake, on_wake));
    MUST(mosquitto_lib_init());
    struct mosquitto *client = mosquitto_new("floor", true, &wake);
    MUST(client == NULL);
    MUST(mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5));
    MUST(mosquitto_tls_set(client, argv[3], NULL, argv[4], argv[5], NULL));
    mosquitto_connect_callback_set(client, on_connect);
    MUST(mosquitto_connect(client, argv[1], (int)strtol(argv[2], NULL, 10), 300));
    MUST(mosquitto_loop_start(client));
    (void)uv_run(loop, UV_RUN_DEFAULT);
    MUST(mosquitto_loop_stop(client, true));
    mosquitto_destroy(client);
    MUST(mosquitto_lib_cleanup());
    mdb_env_close(env);
    return 0;
}
