/*
 * A Mosquitto plugin: answers of the AWS IoT Jobs and file-stream services reach the device that asked, subscribed or not.
 *
 * AWS delivers these answers without a subscription, and firmware made for it counts on that. What Surefoot's server
 * publishes on such a topic is handed to the client that asked last under that thing's name. For this client the usual
 * way is closed, so that one that did subscribe gets each answer once.
 *
 * Mosquitto calls plugins from one thread. Nothing here changes what a client may publish: the broker's own access list
 * is asked all the same.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Of mosquitto.h, which comes with the client library's package, these alone are needed. */
struct mosquitto;
typedef struct mqtt5__property mosquitto_property;
enum {
	MOSQ_ERR_SUCCESS = 0,
	MOSQ_ERR_INVAL = 3,
	MOSQ_ERR_ACL_DENIED = 12,
	MOSQ_ERR_PLUGIN_DEFER = 17,
	MOSQ_LOG_ERR = 8,
};

#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#define ROOT "$aws/things/"
#define THING_CHARS_MAX 128
#define BUCKETS 4096

/* A device whose client id is not its thing's name, which is the user's name. */
struct asker {
	struct asker *next;
	char *thing;
	char *client_id;
};

static mosquitto_plugin_id_t *plugin;
static char *server_name;
static struct asker *askers[BUCKETS];

static struct asker **find(const char *thing)
{
	uint32_t hash = 2166136261u;
	struct asker **at;
	for(const char *c = thing; *c; c++){
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	}
	for(at = &askers[hash % BUCKETS]; *at && strcmp((*at)->thing, thing); at = &(*at)->next);
	return at;
}

static void forget(struct asker **at)
{
	struct asker *gone = *at;
	*at = gone->next;
	free(gone->thing);
	free(gone->client_id);
	free(gone);
}

/* Remember who asks; without memory left, the device is found by its thing's name or not at all. */
static void remember(const char *thing, const char *client_id)
{
	struct asker **at = find(thing);
	if(*at && !strcmp((*at)->client_id, client_id)) return;
	if(*at) forget(at);
	if(!strcmp(thing, client_id)) return;
	struct asker *made = calloc(1, sizeof(*made));
	if(!made) return;
	made->thing = strdup(thing);
	made->client_id = strdup(client_id);
	if(!made->thing || !made->client_id){
		free(made->thing);
		free(made->client_id);
		free(made);
		return;
	}
	made->next = *at;
	*at = made;
}

static const char *client_id_of(const char *thing)
{
	struct asker *known = *find(thing);
	return known ? known->client_id : thing;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);
	return length >= end_length && !strcmp(text + length - end_length, end);
}

/* Copy a topic's thing and return what stands behind it, NULL for a topic of nobody's jobs and streams. */
static const char *split(const char *topic, char thing[THING_CHARS_MAX + 1])
{
	if(strncmp(topic, ROOT, strlen(ROOT))) return NULL;
	topic += strlen(ROOT);
	size_t length = strcspn(topic, "/");
	if(!length || length > THING_CHARS_MAX || !topic[length]) return NULL;
	memcpy(thing, topic, length);
	thing[length] = 0;
	return topic + length + 1;
}

static bool is_reply(const char *rest)
{
	if(!strncmp(rest, "jobs/", 5)){
		return ends_with(rest, "/accepted") || ends_with(rest, "/rejected");
	}
	if(strncmp(rest, "streams/", 8) || (!ends_with(rest, "/json") && !ends_with(rest, "/cbor"))) return false;
	return strstr(rest, "/data/") || strstr(rest, "/description/") || strstr(rest, "/rejected/");
}

static int on_message(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_message *message = event_data;
	const char *name = mosquitto_client_username(message->client);
	char thing[THING_CHARS_MAX + 1];
	const char *rest = split(message->topic, thing);
	(void)event;
	(void)userdata;

	if(!rest || !name) return MOSQ_ERR_SUCCESS;
	if(!strcmp(name, thing)){
		remember(thing, mosquitto_client_id(message->client));
	}else if(!strcmp(name, server_name) && is_reply(rest)){
		mosquitto_broker_publish_copy(client_id_of(thing), message->topic, (int)message->payloadlen, message->payload,
			message->qos > 1 ? 1 : message->qos, false, NULL);
	}
	return MOSQ_ERR_SUCCESS;
}

static int on_acl_check(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_acl_check *check = event_data;
	char thing[THING_CHARS_MAX + 1];
	const char *rest, *name;
	(void)event;
	(void)userdata;

	if(check->access != MOSQ_ACL_READ || !(rest = split(check->topic, thing)) || !is_reply(rest)) return MOSQ_ERR_PLUGIN_DEFER;
	name = mosquitto_client_username(check->client);
	if(!name || strcmp(name, thing)) return MOSQ_ERR_PLUGIN_DEFER;
	/* It is handed over directly. */
	return strcmp(mosquitto_client_id(check->client), client_id_of(thing)) ? MOSQ_ERR_PLUGIN_DEFER : MOSQ_ERR_ACL_DENIED;
}

static int on_disconnect(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_disconnect *gone = event_data;
	const char *name = mosquitto_client_username(gone->client);
	(void)event;
	(void)userdata;

	if(name){
		struct asker **at = find(name);
		if(*at && !strcmp((*at)->client_id, mosquitto_client_id(gone->client))) forget(at);
	}
	return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
	for(int i = 0; i < supported_version_count; i++){
		if(supported_versions[i] == 5) return 5;
	}
	return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **user_data, struct mosquitto_opt *opts, int opt_count)
{
	int rc;
	(void)user_data;

	plugin = identifier;
	for(int i = 0; i < opt_count; i++){
		if(!strcmp(opts[i].key, "server")){
			free(server_name);
			server_name = strdup(opts[i].value);
		}
	}
	if(!server_name){
		mosquitto_log_printf(MOSQ_LOG_ERR, "direct-replies: plugin_opt_server must name the server's identity.");
		return MOSQ_ERR_INVAL;
	}
	rc = mosquitto_callback_register(plugin, MOSQ_EVT_MESSAGE, on_message, NULL, NULL);
	if(!rc) rc = mosquitto_callback_register(plugin, MOSQ_EVT_ACL_CHECK, on_acl_check, NULL, NULL);
	if(!rc) rc = mosquitto_callback_register(plugin, MOSQ_EVT_DISCONNECT, on_disconnect, NULL, NULL);
	return rc;
}

int mosquitto_plugin_cleanup(void *user_data, struct mosquitto_opt *opts, int opt_count)
{
	(void)user_data;
	(void)opts;
	(void)opt_count;

	mosquitto_callback_unregister(plugin, MOSQ_EVT_MESSAGE, on_message, NULL);
	mosquitto_callback_unregister(plugin, MOSQ_EVT_ACL_CHECK, on_acl_check, NULL);
	mosquitto_callback_unregister(plugin, MOSQ_EVT_DISCONNECT, on_disconnect, NULL);
	for(int i = 0; i < BUCKETS; i++){
		while(askers[i]) forget(&askers[i]);
	}
	free(server_name);
	server_name = NULL;
	return MOSQ_ERR_SUCCESS;
}
