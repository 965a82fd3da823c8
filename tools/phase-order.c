/*
 * An nginx module that prints the names of all modules, in nginx's order, when
 * the configuration has been read. Only tools/phase-order builds and loads it;
 * it is no part of what is installed.
 */

#include <ngx_config.h>
#include <ngx_core.h>


static char *phase_order_init_conf(ngx_cycle_t *cycle, void *conf);


static ngx_core_module_t  phase_order_module_ctx = {
    ngx_string("phase_order"),
    NULL,
    phase_order_init_conf
};


ngx_module_t  phase_order_module = {
    NGX_MODULE_V1,
    &phase_order_module_ctx,               /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* what nginx looks up in a module it loads */

ngx_module_t *ngx_modules[] = { &phase_order_module, NULL };
char *ngx_module_names[] = { "phase_order_module", NULL };
char *ngx_module_order[] = { NULL };


static char *
phase_order_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_uint_t  i;

    (void) conf;

    for (i = 0; cycle->modules[i]; i++) {
        ngx_write_fd(ngx_stdout, "module: ", sizeof("module: ") - 1);
        ngx_write_fd(ngx_stdout, cycle->modules[i]->name,
                     ngx_strlen(cycle->modules[i]->name));
        ngx_write_fd(ngx_stdout, "\n", 1);
    }

    return NGX_CONF_OK;
}
