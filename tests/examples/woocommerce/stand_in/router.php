<?php
/**
 * What a web server and WordPress do with a request: `php -S 127.0.0.1:8000 router.php`.
 */

declare(strict_types=1);

require __DIR__ . '/site.php';

$path = parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
if ( isset( $_GET['wc-api'] ) ) {
	ob_start();
	do_action( 'woocommerce_api_' . strtolower( $_GET['wc-api'] ) );
	ob_end_clean();
	echo '-1'; // Nobody has answered.
} elseif ( '/wp-admin/admin-ajax.php' === $path ) {
	do_action( 'wp_ajax_' . ( $_REQUEST['action'] ?? '' ) );
	echo '0';
} elseif ( 1 === preg_match( '#^/checkout/order-received/([0-9]+)/#', $path, $found ) ) {
	$GLOBALS['stand_in_query'] = array( 'order-received' => $found[1] );
	wc_get_order( (int) $found[1] ); // Themes and other plugins have looked at it before.
	do_action( 'template_redirect' );
	echo 'status=' . wc_get_order( (int) $found[1] )->get_status();
} else {
	echo 'shop';
}
