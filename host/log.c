/* One line per event through libqb's qb_log, libqb's own lines included. */
#include "host.h"

#include "common/args.h"

#include <lauxlib.h>
#include <qb/qblog.h>
#include <syslog.h>

static const struct name levels[] = {
	{LOG_EMERG, "emerg"},     {LOG_ALERT, "alert"},
	{LOG_CRIT, "crit"},       {LOG_ERR, "error"},
	{LOG_WARNING, "warning"}, {LOG_NOTICE, "notice"},
	{LOG_INFO, "info"},       {LOG_DEBUG, "debug"},
	{LOG_TRACE, "trace"},     {0, NULL},
};

static const struct name targets[] = {
	{QB_LOG_STDERR, "stderr"},
	{QB_LOG_SYSLOG, "syslog"},
	{0, NULL},
};

int log_open(lua_State *L)
{
	uint8_t level = (uint8_t)check_name(L, 1, "log level", levels);
	int32_t target = (int32_t)check_name(L, 2, "log target", targets);

	qb_log_init("corolua", LOG_USER, LOG_EMERG);
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE);
	qb_log_filter_ctl(target, QB_LOG_FILTER_CLEAR_ALL, QB_LOG_FILTER_FILE,
			  "*", LOG_TRACE);
	qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*",
			  level);
	if (target == QB_LOG_STDERR)
		qb_log_format_set(target, "corolua[%P] %p: %b");
	qb_log_ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE);
	return 0;
}

int log_line(lua_State *L)
{
	uint8_t level = (uint8_t)check_name(L, 1, "log level", levels);

	qb_log_from_external_source("script", "corolua", "%s", level, 1, 0,
				    luaL_checkstring(L, 2));
	return 0;
}
